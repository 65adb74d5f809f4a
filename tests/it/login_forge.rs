//! What the API of a forge says of a token.
