//! The API as programs use it: lists in pages, edits by revision, requests that are sent again, many websites at once; its
//! description, and the examples of its documentation.

mod bulk;
mod examples;
mod fuzzed;
mod lists;
mod once;
mod sample;
