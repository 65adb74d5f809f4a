//! Who a process is: its parent, its start, its executable.
