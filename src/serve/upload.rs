//! Bodies of requests: read whole within bounds of size and time, unpacked within bounds, and the places for the large ones.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::problem::Refusal;
use crate::dataset::Upload;

/// A place for one large body: held from before it is read until its answer is made, so that the memory of all is bounded.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    active: IntGauge,
}

impl Place {
    /// Takes a place, if one is free.
    pub(super) fn take(places: &Arc<Semaphore>, active: &IntGauge) -> Result<Self, Refusal> {
        let permit = Arc::clone(places).try_acquire_owned().map_err(|_| {
            let detail = "as many files are being worked on as fit: try again in a moment";
            Refusal::Status(StatusCode::SERVICE_UNAVAILABLE, detail.to_owned())
        })?;
        active.inc();
        Ok(Self { _permit: permit, active: active.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.active.dec();
    }
}

/// The whole body, if it is no larger than `limit` and comes in time.
pub(super) async fn whole(mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let too_large = || Refusal::too_large("the body", format_args!("{limit} bytes"));
    if body.size_hint().lower() > limit as u64 {
        discard(body).await;
        return Err(too_large());
    }
    match timeout(BODY_TIMEOUT, collected(&mut body, limit)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => {
            discard(body).await;
            Err(too_large())
        }
        Ok(Err(error)) => Err(Refusal::Status(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"))),
        Err(_) => {
            let detail = format!("the body did not come within {} s", BODY_TIMEOUT.as_secs());
            Err(Refusal::Status(StatusCode::REQUEST_TIMEOUT, detail))
        }
    }
}

/// The frames of a body as one; `None` if they are larger than `limit`. Small bodies are one frame, which is not copied.
async fn collected(body: &mut Body, limit: usize) -> Result<Option<Bytes>, axum::Error> {
    let Some(first) = next(body).await.transpose()? else { return Ok(Some(Bytes::new())) };
    let Some(second) = next(body).await.transpose()? else { return Ok((first.len() <= limit).then_some(first)) };
    let mut all = Vec::with_capacity(limit.min(usize::try_from(body.size_hint().lower()).unwrap_or(limit)));
    all.extend_from_slice(&first);
    all.extend_from_slice(&second);
    while all.len() <= limit {
        let Some(frame) = next(body).await.transpose()? else { return Ok(Some(all.into())) };
        all.extend_from_slice(&frame);
    }
    Ok(None)
}

async fn next(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        match std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await? {
            Ok(frame) => match frame.into_data() {
                Ok(data) => return Some(Ok(data)),
                // Trailers say nothing here.
                Err(_) => continue,
            },
            Err(error) => return Some(Err(error)),
        }
    }
}

/// Reads on for a while: a client that is still sending would not see the answer.
pub(super) async fn discard(mut body: Body) {
    let rest = async {
        let mut left = MOST_DISCARDED;
        while let Some(Ok(data)) = next(&mut body).await {
            let Some(rest) = left.checked_sub(data.len()) else { return };
            left = rest;
        }
    };
    timeout(DISCARD_TIMEOUT, rest).await.ok();
}

/// What a body holds: itself, or what gzip unpacks to, at most `limit` bytes of it.
///
/// # Errors
/// The start of the packed stream cannot be read, or is packed again.
pub(super) fn unpacked(body: Bytes, limit: u64) -> io::Result<Upload> {
    if !body.starts_with(GZIP) {
        return Ok(Upload::Whole(body));
    }
    let stream = MultiGzDecoder::new(Cursor::new(body));
    let mut stream: Box<dyn BufRead + Send> = Box::new(BufReader::new(Limited { stream, left: limit }));
    if stream.fill_buf()?.starts_with(GZIP) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "packed twice"));
    }
    Ok(Upload::Stream(stream))
}

/// The same as a stream.
pub(super) fn stream(upload: Upload) -> Box<dyn Read + Send> {
    match upload {
        Upload::Whole(bytes) => Box::new(Cursor::new(bytes)),
        Upload::Stream(stream) => Box::new(stream),
    }
}

/// A stream that fails where it is longer than it may be; to end there would be to cut it in silence.
struct Limited<R> {
    stream: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "it unpacks to more than is taken");
        self.left = self.left.checked_sub(read as u64).ok_or_else(too_large)?;
        Ok(read)
    }
}

/// A client that needs longer for its body is broken or hostile.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a body that is too large which are read and thrown away.
const MOST_DISCARDED: usize = 64 << 20;
/// The time for that.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);
/// First bytes of a gzip stream.
const GZIP: &[u8] = &[0x1f, 0x8b];
