//! The content codings in which a body can be kept ready: compressing a page takes longer than everything else about a near hit.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Beyond this brotli's time grows faster than its gain; a body is compressed once and sent many times.
const BROTLI_QUALITY: u32 = 5;
/// Brotli's usual window, as a power of two.
const BROTLI_WINDOW: u32 = 22;
const BUFFER: usize = 4096;
const ZSTD_LEVEL: i32 = 3;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `br`.
    Brotli,
    /// `gzip`.
    Gzip,
    /// `zstd`.
    Zstd,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Zstd];

    /// The registered token.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// A body in this coding.
    ///
    /// # Errors
    /// None in practice: what is written to is memory.
    pub fn encode(self, body: &[u8]) -> io::Result<Bytes> {
        let coded = match self {
            Self::Brotli => {
                let mut writer = brotli::CompressorWriter::new(Vec::new(), BUFFER, BROTLI_QUALITY, BROTLI_WINDOW);
                writer.write_all(body)?;
                writer.into_inner()
            }
            Self::Gzip => {
                let mut writer = GzEncoder::new(Vec::new(), Compression::default());
                writer.write_all(body)?;
                writer.finish()?
            }
            Self::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL)?,
        };
        Ok(coded.into())
    }
}
