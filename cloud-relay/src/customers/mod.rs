//! Customers and riders as people who sign in: what they give, how passwords are kept, who speaks by which token.

pub mod accounts;
