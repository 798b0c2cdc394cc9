//! Money: the gateway's port and one file a provider, its breaker, signatures of its messages, and the sandbox to try it on.

pub mod breaker;
pub mod gateway;
pub mod provider;
pub mod sandbox;
pub mod sandbox_provider;
pub mod signature;
