//! Sixty-four writers of one encrypted file.
