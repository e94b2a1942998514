//! Writing what the queues of a connection could not send at once.

use super::Shared;
use super::connection::{STREAM_LARGE, STREAM_URGENT};
use super::lanes::Lane;
use super::peer::Handle;
use super::queue::Batch;
use overlay::Machine;
use quinn::{Connection, SendStream};
use std::sync::Arc;

/// The order in which QUIC sends what waits on several streams.
const PRIORITY_URGENT: i32 = 1;
const PRIORITY_LARGE: i32 = -1;

/// Opens the stream of a lane and writes what is left over for it, everything that is ready.
pub(super) async fn write<M: Machine + 'static>(
    shared: Arc<Shared<M>>,
    handle: Arc<Handle>,
    lane: Lane,
) {
    let Ok(stream) = open(&shared, &handle, lane).await else {
        return;
    };
    let queue = handle.lanes.queue(lane);
    let mut batch = Batch {
        stream: Some(stream),
        ..Batch::default()
    };
    while queue.take(&mut batch).await {
        for message in batch.large.drain(..) {
            let handle = Arc::clone(&handle);
            shared.spawn(async move {
                let length = message.len();
                // A failure is the connection's end, which its reader sees.
                let _ = write_large(&handle.connection, message).await;
                handle.lanes.queue(lane).large_done(length);
            });
        }
        if batch.frames.is_empty() {
            continue;
        }
        handle.touch(shared.clock.now());
        let Some(stream) = &mut batch.stream else {
            return;
        };
        if stream.write_all(&batch.frames).await.is_err() {
            return;
        }
    }
}

async fn open<M: Machine + 'static>(
    shared: &Shared<M>,
    handle: &Handle,
    lane: Lane,
) -> Result<SendStream, quinn::WriteError> {
    let mut stream = handle.connection.open_uni().await?;
    match lane {
        Lane::Data => stream.write_all(&shared.greeting).await?,
        Lane::Urgent => {
            let _ = stream.set_priority(PRIORITY_URGENT);
            stream.write_all(&[STREAM_URGENT]).await?;
        }
    }
    Ok(stream)
}

async fn write_large(connection: &Connection, message: Vec<u8>) -> Result<(), quinn::WriteError> {
    let mut stream: SendStream = connection.open_uni().await?;
    // Small messages go first.
    let _ = stream.set_priority(PRIORITY_LARGE);
    stream.write_all(&[STREAM_LARGE]).await?;
    stream.write_chunk(message.into()).await?;
    let _ = stream.finish();
    Ok(())
}
