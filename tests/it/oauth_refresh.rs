//! A hundred processes at the end of a token, and one request.
