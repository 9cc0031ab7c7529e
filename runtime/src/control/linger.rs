//! The end of a connection, such that its last answer is heard. A client that still sends when it is closed against (a bundle that was
//! refused at its first byte) makes the system answer with a reset, and a reset throws away what the client had not read yet. So nothing
//! more is said, and what still comes is read and forgotten, until the client has ended too, or a time or a number of bytes is over.

use std::future::poll_fn;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::limits;

/// Bytes that are forgotten at a time.
const SCRAP_BYTES: usize = 16 << 10;

/// Say that nothing more comes, and read to the client's end, for [`limits::LINGER_MAX`] and [`limits::LINGER_BYTES_MAX`] at most.
pub async fn linger<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    // Whoever is gone already, or does not end, is let go.
    let _ = timeout(limits::LINGER_MAX, drain(stream)).await;
}

async fn drain<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<()> {
    poll_fn(|context| Pin::new(&mut *stream).poll_shutdown(context)).await?;
    let mut scrap = vec![0; SCRAP_BYTES];
    let mut read = 0;
    while read < limits::LINGER_BYTES_MAX {
        let mut piece = ReadBuf::new(&mut scrap);
        poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut piece)).await?;
        match piece.filled().len() {
            0 => break,
            bytes => read += bytes,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::task::{Context, Poll};

    use super::*;

    /// A client that sends so many bytes more, and ends or not.
    struct Client {
        sends: usize,
        ends: bool,
        /// Whether it was told that nothing more comes.
        told: bool,
    }

    impl AsyncRead for Client {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            assert!(self.told, "first of all the answer's end is said");
            let bytes = self.sends.min(buffer.remaining());
            if bytes == 0 && !self.ends {
                return Poll::Pending;
            }
            buffer.put_slice(&vec![1; bytes]);
            self.sends -= bytes;
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Client {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            unreachable!("nothing more is said")
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.told = true;
            Poll::Ready(Ok(()))
        }
    }

    /// What is left unread of what a client sends.
    fn left(sends: usize, ends: bool) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut client = Client { sends, ends, told: false };
        runtime.block_on(linger(&mut client));
        client.sends
    }

    #[test]
    fn what_still_comes_is_read_up_to_a_limit_and_a_silent_client_is_let_go() {
        assert_eq!(left(0, true), 0);
        assert_eq!(left(1 << 20, true), 0);
        assert_eq!(left(limits::LINGER_BYTES_MAX + (1 << 20), true), 1 << 20);
        let begun = std::time::Instant::now();
        assert_eq!(left(99, false), 0);
        assert!((limits::LINGER_MAX..3 * limits::LINGER_MAX).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
}
