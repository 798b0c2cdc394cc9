//! The worker with a gateway that is out of order, and killed between doing and recording.
