//! Integration tests, in one binary since that builds several times faster.

mod docs;
