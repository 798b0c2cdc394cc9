//! m2..m4: filled by the pricing tests.
