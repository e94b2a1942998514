//! Calls that change nothing.

use super::{Answer, CallError, Client, Key, Matches, Value};
use bytes::Bytes;
use overlay::words::Query;
use overlay::{Consistency, HolderInfo, LocateReport, MAX_KEY_BYTES, Reply, Request, Version};

/// Most results unless it is told otherwise.
const LIMIT: u32 = 100;

awaited! {
    Get => Answer<Value>;
    Search => Answer<Vec<HolderInfo>>;
    SearchText => Answer<Matches>;
    SearchPrefix => Answer<Matches>;
    Locate => LocateReport;
}

/// Reading a value; [`Client::get`] begins one, `.await` does it.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before this is awaited"]
pub struct Get {
    client: Client,
    key: Key,
    consistency: Consistency,
    at_least: Option<Version>,
}

impl Get {
    pub(super) const fn new(client: Client, key: Key) -> Self {
        Self {
            client,
            key,
            consistency: Consistency::Quorum,
            at_least: None,
        }
    }

    /// How many replicas must answer; R by default.
    pub const fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// Takes nothing older than this version, which a put, a get or a delete gave: then the answer is
    /// [`Answer::Unknown`] rather than a step back, through whichever node.
    pub const fn at_least(mut self, version: Version) -> Self {
        self.at_least = Some(version);
        self
    }

    async fn send(self) -> Result<Answer<Value>, CallError> {
        let request = Request::Get {
            key: self.key.checked()?,
            consistency: self.consistency,
            at_least: self.at_least,
        };
        match self.client.data(request).await? {
            Reply::Got(report) => Ok(report.into()),
            _ => Err(CallError::Nonsense),
        }
    }
}

/// Listing holders; [`Client::search`] begins one, `.await` does it.
#[derive(Clone, Debug)]
#[must_use = "nothing is searched before this is awaited"]
pub struct Search {
    client: Client,
    key: Key,
    limit: u32,
    consistency: Consistency,
}

impl Search {
    pub(super) const fn new(client: Client, key: Key) -> Self {
        Self {
            client,
            key,
            limit: LIMIT,
            consistency: Consistency::Quorum,
        }
    }

    /// Most holders to list; 100 by default, 1,000 at most.
    pub const fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// How many replicas must answer; R by default.
    pub const fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    async fn send(self) -> Result<Answer<Vec<HolderInfo>>, CallError> {
        let request = Request::Search {
            key: self.key.checked()?,
            limit: self.limit,
            consistency: self.consistency,
        };
        match self.client.data(request).await? {
            Reply::Searched(report) => Ok(report.into()),
            _ => Err(CallError::Nonsense),
        }
    }
}

/// A search by words; [`Client::search_text`] begins one, `.await` does it.
#[derive(Clone, Debug)]
#[must_use = "nothing is searched before this is awaited"]
pub struct SearchText {
    client: Client,
    text: String,
    limit: u32,
    consistency: Consistency,
}

impl SearchText {
    pub(super) const fn new(client: Client, text: String) -> Self {
        Self {
            client,
            text,
            limit: LIMIT,
            consistency: Consistency::Quorum,
        }
    }

    /// Most results; 100 by default, 1,000 at most.
    pub const fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// How many replicas must answer for each part of the index; R by default.
    pub const fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    async fn send(self) -> Result<Answer<Matches>, CallError> {
        let wrong = |error: overlay::words::QueryError| CallError::Refused(error.to_string());
        Query::parse(&self.text).map_err(wrong)?;
        let request = Request::SearchText {
            text: self.text,
            limit: self.limit,
            consistency: self.consistency,
        };
        found(&self.client, request).await
    }
}

/// A search by the beginning of keys; [`Client::search_prefix`] begins one, `.await` does it.
#[derive(Clone, Debug)]
#[must_use = "nothing is searched before this is awaited"]
pub struct SearchPrefix {
    client: Client,
    prefix: Bytes,
    limit: u32,
    consistency: Consistency,
}

impl SearchPrefix {
    pub(super) const fn new(client: Client, prefix: Bytes) -> Self {
        Self {
            client,
            prefix,
            limit: LIMIT,
            consistency: Consistency::Quorum,
        }
    }

    /// Most results; 100 by default, 1,000 at most.
    pub const fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// How many replicas must answer for each part of the index; R by default.
    pub const fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    async fn send(self) -> Result<Answer<Matches>, CallError> {
        let length = self.prefix.len();
        if length > MAX_KEY_BYTES {
            return Err(CallError::Refused(format!(
                "a key has at most {MAX_KEY_BYTES} bytes, and this beginning of one has {length}"
            )));
        }
        let request = Request::SearchPrefix {
            prefix: self.prefix,
            limit: self.limit,
            consistency: self.consistency,
        };
        found(&self.client, request).await
    }
}

async fn found(client: &Client, request: Request) -> Result<Answer<Matches>, CallError> {
    match client.data(request).await? {
        Reply::TextSearched(report) => Ok(report.into()),
        _ => Err(CallError::Nonsense),
    }
}

/// Finding the replica set of a key; [`Client::locate`] begins one, `.await` does it.
#[derive(Clone, Debug)]
#[must_use = "nothing is located before this is awaited"]
pub struct Locate {
    client: Client,
    key: Key,
    iterative: bool,
}

impl Locate {
    pub(super) const fn new(client: Client, key: Key) -> Self {
        Self {
            client,
            key,
            iterative: false,
        }
    }

    /// Lets the node ask hop by hop, instead of letting the hops forward.
    pub const fn iterative(mut self) -> Self {
        self.iterative = true;
        self
    }

    async fn send(self) -> Result<LocateReport, CallError> {
        let request = Request::Locate {
            key: self.key.checked()?,
            iterative: self.iterative,
        };
        match self.client.data(request).await? {
            Reply::Located(report) => Ok(report),
            _ => Err(CallError::Nonsense),
        }
    }
}
