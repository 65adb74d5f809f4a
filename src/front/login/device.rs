//! A code that is typed into a browser, on any machine.
