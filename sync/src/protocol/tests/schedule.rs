//! Any order of writing, slow disks, refusing stores and cut cables: once all is well again, both have the same.

use super::pipe::{End, Replica, connect, settle};
use super::{NOW, assert_same, node_and_relay};
use crate::crdt::chain::Head;
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Debug, Clone)]
enum Step {
    Write {
        node: bool,
        commits: usize,
        bytes: usize,
    },
    /// So many frames arrive at one side.
    Carry {
        to_node: bool,
        frames: usize,
    },
    SlowDisk {
        node: bool,
        slow: bool,
    },
    Flush {
        node: bool,
    },
    /// One side's store did not take what it was handed.
    Drop {
        node: bool,
    },
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    let side = any::<bool>;
    prop_oneof![
        4 => (side(), 1..300usize, 1..3_000usize).prop_map(|(node, commits, bytes)| Step::Write { node, commits, bytes }),
        8 => (side(), 1..12usize).prop_map(|(to_node, frames)| Step::Carry { to_node, frames }),
        2 => (side(), side()).prop_map(|(node, slow)| Step::SlowDisk { node, slow }),
        2 => side().prop_map(|node| Step::Flush { node }),
        1 => side().prop_map(|node| Step::Drop { node }),
        1 => Just(Step::Cut),
    ]
}

struct World {
    node: End,
    relay: End,
    to_node: VecDeque<Vec<u8>>,
    to_relay: VecDeque<Vec<u8>>,
}

impl World {
    fn new(node: Replica, relay: Replica) -> Self {
        let (node, relay) = connect(node, relay);
        Self { node, relay, to_node: VecDeque::new(), to_relay: VecDeque::new() }
    }

    fn side(&mut self, node: bool) -> &mut End {
        if node { &mut self.node } else { &mut self.relay }
    }

    fn speak(&mut self) {
        self.to_relay.extend(self.node.frames(NOW));
        self.to_node.extend(self.relay.frames(NOW));
    }

    fn take(mut self, step: &Step) -> Self {
        match *step {
            Step::Write { node, commits, bytes } => self.side(node).write(commits, bytes),
            Step::Carry { to_node, frames } => {
                for _ in 0..frames {
                    self.speak();
                    let queue = if to_node { &mut self.to_node } else { &mut self.to_relay };
                    let Some(frame) = queue.pop_front() else { break };
                    let end = self.side(to_node);
                    end.session.handle_frame(&frame, NOW).unwrap();
                    end.events(NOW);
                }
            }
            Step::SlowDisk { node, slow } => self.side(node).slow_disk = slow,
            Step::Flush { node } => self.side(node).flush(),
            Step::Drop { node } => {
                let other = self.side(!node).replica.own;
                let end = self.side(node);
                if end.pending() > 0 {
                    end.forget_pending();
                    let head = end.replica.heads().get(&other).copied().unwrap_or_else(|| Head::start(&other));
                    end.session.handle_dropped(other, head);
                }
            }
            Step::Cut => return Self::new(self.node.replica, self.relay.replica),
        }
        let window = crate::limits::WINDOW_BYTES_MIN as u64;
        assert!(self.node.session.waiting_bytes() <= window && self.relay.session.waiting_bytes() <= window);
        self
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn y6_any_schedule_of_faults_ends_with_the_same_logs(steps in proptest::collection::vec(step(), 1..60), ends_cut in any::<bool>()) {
        let (node, relay) = node_and_relay();
        let mut world = steps.iter().fold(World::new(node, relay), World::take);
        if ends_cut {
            world = world.take(&Step::Cut);
        }
        for end in [&mut world.node, &mut world.relay] {
            end.slow_disk = false;
            end.flush();
        }
        // What is on the way arrives; then a ping brings what was parked.
        world.speak();
        while !(world.to_node.is_empty() && world.to_relay.is_empty()) {
            for to_node in [true, false] {
                world = world.take(&Step::Carry { to_node, frames: 1_000 });
            }
        }
        for end in [&mut world.node, &mut world.relay] {
            let (at, _) = end.session.poll_timeout().unwrap();
            end.session.handle_timeout(at.min(NOW.plus_ms(10_000))).unwrap();
        }
        settle(&mut world.node, &mut world.relay);
        assert_same(&world.node.replica, &world.relay.replica);
    }
}
