//! A connection to Redis on which an answer has a bound. What a worker writes comes back in the hub's answers, as large
//! as it likes, and neither Redis nor the library asks beforehand: an answer that grows beyond the bound ends the
//! connection while it is being read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, RedisResult};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

/// Bytes of one answer, with [`PER_LINE`]. Of ordinary reports three times as many as are asked for at once. While it is
/// read and taken apart it costs up to three times as much memory.
pub(super) const MOST: usize = 16 * 1024 * 1024;
/// Each word of an answer has one or two lines, and costs the library some 50 bytes beside its own: an empty one, of 6
/// bytes on the wire, eight times as much.
const PER_LINE: usize = 32;

/// A connection; clones share it. On one that is asked one thing at a time the bound is exact.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) connection: MultiplexedConnection,
    meter: Arc<Meter>,
    _driver: Arc<Driver>,
}

impl Link {
    /// Signs in over `stream`; a command may take `wait`.
    pub(super) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        info: &RedisConnectionInfo,
        wait: Duration,
    ) -> RedisResult<Self> {
        let meter = Arc::new(Meter::default());
        let stream = Metered { stream, meter: meter.clone() };
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(wait));
        let (connection, driver) = MultiplexedConnection::new_with_config(info, stream, config).await?;
        let driver = Arc::new(Driver(tokio::spawn(driver).abort_handle()));
        Ok(Self { connection, meter, _driver: driver })
    }

    /// What was answered, or that it was too large ([`is_too_large`]): then this connection is at its end.
    pub(super) fn judge<T>(&self, result: RedisResult<T>) -> RedisResult<T> {
        match result {
            Err(_) if self.meter.is_over.load(Ordering::Relaxed) => Err(RedisError::from((
                ErrorKind::Client,
                TOO_LARGE,
                format!("it has more than {} MiB, and was not read", MOST / 1024 / 1024),
            ))),
            result => result,
        }
    }
}

const TOO_LARGE: &str = "the answer is too large";

/// Whether Redis answered more than is read.
pub(super) fn is_too_large(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Client && error.to_string().contains(TOO_LARGE)
}

/// The task that reads and writes; it ends with the last clone, also when Redis says nothing any more.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug, Default)]
struct Meter {
    /// What was read since something was last written.
    bytes: AtomicUsize,
    is_over: AtomicBool,
}

struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        let came = new.len() + PER_LINE * new.iter().filter(|byte| **byte == b'\n').count();
        if self.meter.bytes.fetch_add(came, Ordering::Relaxed) + came > MOST {
            self.meter.is_over.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::Error::other(TOO_LARGE)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.meter.bytes.store(0, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
