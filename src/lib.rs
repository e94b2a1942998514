//! The daemon `p2pnode`, its control tool `p2pctl` and the simulator's `p2psim`, as a library.

pub mod compute;
pub mod control;
pub mod crawl;
pub mod ctl;
pub mod demo;
mod documents;
mod feed;
pub mod tls;

pub mod command_line;
pub mod config;
pub mod data_dir;
mod datagrams;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod p2psim;
pub mod runtime;
pub mod service_manager;
pub mod store;
pub mod tracker;
pub mod usage;
