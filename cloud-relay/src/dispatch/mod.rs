//! Riders: who is offered which order, and how far a delivery is. Customers and dispatch have one writer, the relay.

pub mod desk;
pub mod kernel;
pub mod offers;
pub mod replay;
pub mod round;

#[cfg(test)]
mod tests;
