//! Calls that change something.

use super::{CallError, Client, Key, whole_seconds};
use bytes::Bytes;
use overlay::words::Words;
use overlay::{
    Condition, Consistency, DeleteReport, InsertReport, MAX_TEXT_BYTES, MAX_VALUE_BYTES, PutReport,
    Reply, Request, Version,
};
use std::net::SocketAddr;
use std::time::Duration;

awaited! {
    Put => PutReport;
    Insert => InsertReport;
    Delete => DeleteReport;
}

/// The lease of a holder unless it is told otherwise: half an hour.
const LEASE: Duration = Duration::from_secs(1_800);

fn check_text(text: &str) -> Result<(), CallError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(CallError::Refused(format!(
            "a text has at most {MAX_TEXT_BYTES} bytes, and this one has {}; shorten it",
            text.len()
        )));
    }
    let words = Words::parse(text);
    words.map_err(|error| CallError::Refused(error.to_string()))?;
    Ok(())
}

/// Storing a value; [`Client::put`] begins one, `.await` does it.
///
/// It comes to a [`PutReport`]: the version that the value got, and how many replicas hold it durably.
#[derive(Clone, Debug)]
#[must_use = "nothing is stored before this is awaited"]
pub struct Put {
    client: Client,
    key: Key,
    value: Bytes,
    ttl: Option<Duration>,
    condition: Condition,
    consistency: Consistency,
    text: String,
    indexed: bool,
}

impl Put {
    pub(super) fn new(client: Client, key: Key, value: Bytes) -> Self {
        Self {
            client,
            key,
            value,
            ttl: None,
            condition: Condition::Always,
            consistency: Consistency::Quorum,
            text: String::new(),
            indexed: false,
        }
    }

    /// Lets the value end after this time, a second to 366 days, rounded up to seconds. Without it the
    /// value lives until it is deleted.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Only if there is no value; else it fails with [`CallError::Conflict`].
    pub const fn if_absent(mut self) -> Self {
        self.condition = Condition::Absent;
        self
    }

    /// Only if this version is there; else it fails with [`CallError::Conflict`].
    pub const fn if_version(mut self, version: Version) -> Self {
        self.condition = Condition::Version(version);
        self
    }

    /// How many replicas must hold it durably first; W by default.
    pub const fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// Words to find it by, at most 1 KiB and 64 different ones.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Lets it be found by the beginning of its key.
    pub const fn indexed(mut self) -> Self {
        self.indexed = true;
        self
    }

    async fn send(self) -> Result<PutReport, CallError> {
        let length = self.value.len();
        if length > MAX_VALUE_BYTES {
            return Err(CallError::Refused(format!(
                "a value has at most {MAX_VALUE_BYTES} bytes, and this one has {length}; split it, and put the pieces under keys of their own"
            )));
        }
        check_text(&self.text)?;
        let ttl = self.ttl.map(|ttl| whole_seconds("a time to live", ttl));
        let request = Request::Put {
            key: self.key.checked()?,
            value: self.value,
            ttl_s: ttl.transpose()?,
            consistency: self.consistency,
            condition: self.condition,
            text: self.text,
            indexed: self.key.indexed(self.indexed)?,
        };
        match self.client.data(request).await? {
            Reply::Put(report) => Ok(report),
            _ => Err(CallError::Nonsense),
        }
    }
}

/// Saying that a peer holds a resource; [`Client::insert`] begins one, `.await` does it.
#[derive(Clone, Debug)]
#[must_use = "nothing is inserted before this is awaited"]
pub struct Insert {
    client: Client,
    key: Key,
    holder: SocketAddr,
    lease: Duration,
    text: String,
    indexed: bool,
}

impl Insert {
    pub(super) const fn new(client: Client, key: Key, holder: SocketAddr) -> Self {
        Self {
            client,
            key,
            holder,
            lease: LEASE,
            text: String::new(),
            indexed: false,
        }
    }

    /// How long the holder is listed when the node that was asked has gone and renews nothing: a second
    /// to seven days, rounded up to seconds, half an hour by default.
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Words to find it by, at most 1 KiB and 64 different ones.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Lets it be found by the beginning of its key.
    pub const fn indexed(mut self) -> Self {
        self.indexed = true;
        self
    }

    async fn send(self) -> Result<InsertReport, CallError> {
        check_text(&self.text)?;
        let request = Request::Insert {
            key: self.key.checked()?,
            holder: self.holder,
            lease_s: whole_seconds("a lease", self.lease)?,
            text: self.text,
            indexed: self.key.indexed(self.indexed)?,
        };
        match self.client.data(request).await? {
            Reply::Inserted(report) => Ok(report),
            _ => Err(CallError::Nonsense),
        }
    }
}

/// Deleting; [`Client::delete`] begins one, `.await` does it.
///
/// The [`DeleteReport`] says whether there was something to delete, as far as that is known; the
/// deletion holds in any case.
#[derive(Clone, Debug)]
#[must_use = "nothing is deleted before this is awaited"]
pub struct Delete {
    client: Client,
    key: Key,
    holder: Option<SocketAddr>,
    condition: Condition,
    consistency: Consistency,
}

impl Delete {
    pub(super) const fn new(client: Client, key: Key) -> Self {
        Self {
            client,
            key,
            holder: None,
            condition: Condition::Always,
            consistency: Consistency::Quorum,
        }
    }

    /// Removes this holder, instead of the value; its lease is renewed no longer.
    pub const fn holder(mut self, holder: SocketAddr) -> Self {
        self.holder = Some(holder);
        self
    }

    /// Only if this version of the value is there; else it fails with [`CallError::Conflict`].
    pub const fn if_version(mut self, version: Version) -> Self {
        self.condition = Condition::Version(version);
        self
    }

    /// How many replicas must hold the deletion durably first; W by default.
    pub const fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    async fn send(self) -> Result<DeleteReport, CallError> {
        let request = Request::Delete {
            key: self.key.checked()?,
            holder: self.holder,
            consistency: self.consistency,
            condition: self.condition,
        };
        match self.client.data(request).await? {
            Reply::Deleted(report) => Ok(report),
            _ => Err(CallError::Nonsense),
        }
    }
}
