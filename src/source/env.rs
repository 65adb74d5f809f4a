//! A variable of the environment, for one exact origin.
