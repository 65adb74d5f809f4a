//! Which stores this machine has, and what each still needs.
