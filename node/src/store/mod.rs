//! The node's own data: one writer thread over sled, everyone else behind a handle.
//!
//! Knows nothing of the use cases above it: they bring plans as closures over the `Replica`.

mod board_check;
pub mod branch;
pub mod identity;
mod joined;
pub mod node_store;
pub mod packing;
pub mod replica;
pub mod sled_store;
pub mod store_handle;
pub mod store_thread;
pub mod witness;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine said no.
    #[error("the store's engine failed: {0}")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another process has the store open.
    #[error("the store is open in another process")]
    InUse,
    /// The operating system said no.
    #[error("{what} failed")]
    Io {
        /// At what.
        what: String,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// A value is not what was written.
    #[error("a stored value of {tree} is damaged: {why}")]
    Damaged {
        /// In which tree.
        tree: &'static str,
        /// How it shows.
        why: String,
    },
    /// The archive could not be read. The store itself is whole.
    #[error(transparent)]
    Archive(#[from] crate::archive::ArchiveError),
    /// The engine panicked while it opened: its files are damaged.
    #[error("the store's files are damaged: {0}")]
    Panicked(String),
}

impl From<pilotlight_edge::files::FileError> for StoreError {
    fn from(error: pilotlight_edge::files::FileError) -> Self {
        Self::Io { what: error.what, source: error.source }
    }
}

impl StoreError {
    /// Wraps what the operating system said with what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
