//! Passes a request on to `gocred`, in the same process.
