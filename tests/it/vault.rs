//! The encrypted file: kills, full disks, flipped bits, foreign owners.
