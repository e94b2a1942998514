//! Making the calls of [`sharing`](tracker::sharing) by way of the overlay.

use super::service::Service;
use super::spawn;
use crate::runtime::Command;
use overlay::{Failure, Reply, Request};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often it is looked whether there is any other node.
const COMPANY_EVERY: Duration = Duration::from_secs(2);

/// Makes one call after another; each ends by itself.
pub(super) async fn share(service: Rc<Service>) {
    loop {
        let clocks = service.clocks();
        if let Some(next) = service.next_call(clocks) {
            let service = Rc::clone(&service);
            spawn(async move {
                let reply = call(&service, next.request).await;
                service.ended(next.about, &reply);
            });
            continue;
        }
        let next = service.state().sharing.next_time();
        let roused = service.roused.notified();
        match next {
            None => roused.await,
            Some(at) => {
                let pause = Duration::from_micros(at.since(clocks.now).as_micros());
                let _ = tokio::time::timeout(pause, roused).await;
            }
        }
    }
}

/// A node that is alone knows everything.
pub(super) async fn watch_company(service: Rc<Service>) {
    loop {
        let (reply, answer) = oneshot::channel();
        if service.commands.send(Command::Report(reply)).await.is_err() {
            return;
        }
        if let Ok(report) = answer.await {
            let company = report.status.peers > 0;
            service.state().sharing.set_company(company);
        }
        tokio::time::sleep(COMPANY_EVERY).await;
    }
}

/// Makes a call to the overlay, and waits for its answer.
pub(super) async fn call(service: &Service, request: Request) -> Reply {
    let (reply, answer) = oneshot::channel();
    let sent = service
        .commands
        .send(Command::Call { request, reply })
        .await;
    let gone = Reply::Failed(Failure::NotMember);
    match sent {
        Ok(()) => answer.await.unwrap_or(gone),
        Err(_) => gone,
    }
}
