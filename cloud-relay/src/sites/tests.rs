//! A site at the relay: its queue, its link and how it is enrolled.

mod enrolment;
mod link;
mod queue;
