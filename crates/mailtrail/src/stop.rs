//! How everything that runs learns that it is to stop.

use tokio::sync::watch;

/// Says stop, once.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears it; each task has its own.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// The two ends.
#[must_use]
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks all to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Resolves when asked to stop, or when nobody is left who could ask.
    pub async fn requested(&mut self) {
        // An error says that the other end is gone, which means the same.
        let _stop = self.0.wait_for(|stop| *stop).await;
    }
}
