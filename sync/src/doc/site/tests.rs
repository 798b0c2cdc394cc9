//! Tests of the small documents.
