//! Small requests with bodies, and their answers, over HTTPS.
