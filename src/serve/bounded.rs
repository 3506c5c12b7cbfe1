//! An HTTP server that slow or many clients cannot exhaust: its own thread, a fixed number of connections, each with
//! bounds on size and time. It knows no routes.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::tls::Tls;

/// A running server; it stops when [`HttpServer::stop`] is called or it is dropped.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// An address that is listened on; nobody is answered yet.
#[derive(Debug)]
pub struct Bound(TcpListener);

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections served at once; more wait in the system's backlog.
    pub connections: usize,
    /// Time for a client to send the head of a request, also the next one on the same connection.
    pub request_timeout: Duration,
    /// Time that a connection may last in all; then it ends with the request in progress.
    pub lifetime: Duration,
    /// Time for requests in progress when the server stops, or their connection has lasted long enough.
    pub grace: Duration,
    /// Threads that serve; with one, all is done in the server's own.
    pub threads: usize,
}

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program has the address.
    #[error(
        "{address} is in use by another program: stop it, or choose another address with {flag} (port 0 takes any)"
    )]
    InUse {
        /// The address wanted.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another address with {flag}")]
    Bind {
        /// The address wanted.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The server's thread or event loop cannot be made.
    #[error("cannot start the server's thread: {0}")]
    Thread(#[source] io::Error),
}

impl Bound {
    /// Listens, so that the right to may be given up before clients are served.
    ///
    /// `flag` is the command-line flag that sets the address, for the error message.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn to(listen: SocketAddr, flag: &'static str) -> Result<Self, ServeError> {
        TcpListener::bind(listen).map(Self).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::InUse { address: listen, flag },
            _ => ServeError::Bind { address: listen, flag, source },
        })
    }
}

impl HttpServer {
    /// Listens at once, and serves `router` on a thread of this name until stopped.
    ///
    /// `flag` is the command-line flag that sets the address, for the error message.
    ///
    /// # Errors
    /// The address is taken or not ours, or there is no thread to be had.
    pub fn start(
        name: &str,
        listen: SocketAddr,
        flag: &'static str,
        bounds: Bounds,
        router: Router,
    ) -> Result<Self, ServeError> {
        Self::serve(name, Bound::to(listen, flag)?, bounds, None, router)
    }

    /// Serves `router` on a thread of this name until stopped; with `tls`, to those who speak it.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn serve(
        name: &str,
        Bound(listener): Bound,
        bounds: Bounds,
        tls: Option<Tls>,
        router: Router,
    ) -> Result<Self, ServeError> {
        let address = listener.local_addr().map_err(ServeError::Thread)?;
        listener.set_nonblocking(true).map_err(ServeError::Thread)?;
        let mut builder = match bounds.threads {
            0 | 1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = builder
            .worker_threads(bounds.threads.max(1))
            .thread_name(name)
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServeError::Thread)?;
        let listener = {
            let _guard = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(ServeError::Thread)?
        };
        let (stop, stopped) = watch::channel(false);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                runtime.block_on(serve(listener, router, bounds, tls, stopped));
                // What is still at work had its time.
                runtime.shutdown_background();
            })
            .map_err(ServeError::Thread)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// The address that clients reach: the port is the system's choice where 0 was asked for.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests in progress finish for a moment, and returns when the thread has ended.
    pub fn stop(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the HTTP server's thread panicked");
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.halt();
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            request_timeout: REQUEST_TIMEOUT,
            lifetime: LIFETIME,
            grace: GRACE,
            threads: 1,
        }
    }
}

async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    bounds: Bounds,
    tls: Option<Tls>,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            // The semaphore is never closed; without a place nobody is let in.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        tokio::select! {
            () = told(&mut stopped) => break,
            (place, accepted) = accept => match accepted {
                Ok((stream, _)) => {
                    // Answers are written whole: waiting for more to send would only make them late.
                    stream.set_nodelay(true).ok();
                    let (router, stopped) = (router.clone(), stopped.clone());
                    let acceptor = tls.as_ref().map(Tls::acceptor);
                    connections.spawn(async move {
                        match acceptor {
                            None => connection(stream, router, bounds, stopped).await,
                            Some(acceptor) => match timeout(bounds.request_timeout, acceptor.accept(stream)).await {
                                Ok(Ok(stream)) => connection(stream, router, bounds, stopped).await,
                                Ok(Err(error)) => tracing::debug!("no TLS with a client: {error}"),
                                Err(_) => tracing::debug!("a client took too long for TLS"),
                            },
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::debug!("a connection was not accepted: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    timeout(bounds.grace, async { while connections.join_next().await.is_some() {} }).await.ok();
}

async fn connection<S>(stream: S, router: Router, bounds: Bounds, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.request_timeout)
        .max_buf_size(MAX_REQUEST)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
        () = async { tokio::select! { () = told(&mut stopped) => {}, () = sleep(bounds.lifetime) => {} } } => {
            connection.as_mut().graceful_shutdown();
            timeout(bounds.grace, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a connection ended: {error}"),
        Err(_) => tracing::debug!("a connection lasted too long and was closed"),
    }
}

/// Returns when the server is told to stop, or nobody is left who could.
async fn told(stopped: &mut watch::Receiver<bool>) {
    stopped.wait_for(|&stopped| stopped).await.ok();
}

/// Several Prometheus servers, the kubelet's probes and a person; each costs a few kilobytes.
const CONNECTIONS: usize = 64;
/// Clients are near; one that needs longer for a few hundred bytes is broken or hostile.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than any answer takes to read; Prometheus connects anew without a word.
const LIFETIME: Duration = Duration::from_secs(60);
/// Request line and headers.
const MAX_REQUEST: usize = 16 * 1024;
/// What is left of a request when the daemon stops; its whole stop takes at most 5 s.
const GRACE: Duration = Duration::from_secs(1);
/// Without descriptors left, asking again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
