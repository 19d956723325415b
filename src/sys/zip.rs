//! Packs files into a zip archive as a stream: `miniz_oxide` compresses, `rawzip` writes the container.

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::{MZFlush, MZStatus};
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::fs::File;
use std::io::{self, Read, Write};

/// Compression level: the usual compromise between time and size.
const LEVEL: i32 = 6;
/// Window bits of raw deflate, which zip uses: negative means without the frame of zlib.
const RAW_WINDOW_BITS: i32 = -15;
/// Size in bytes of the output buffer.
const BUFFER_BYTES: usize = 32 * 1024;

/// A file to pack.
#[derive(Debug)]
pub struct ZipInput {
    /// Its name in the archive.
    pub name: String,
    /// Its contents.
    pub file: File,
    /// The number of bytes to read: a file that grows meanwhile would otherwise never end.
    pub size: u64,
}

/// Writes an archive of the files to `to`. Names must be unique.
///
/// # Errors
/// Those of reading and writing; `FileTooLarge` if the archive would exceed `max` bytes.
pub fn pack(to: &File, files: &[ZipInput], max: u64) -> io::Result<()> {
    let mut archive = ZipArchiveWriter::new(LimitedWriter { to, left: max });
    for ZipInput { name, file, size } in files {
        let (mut entry, config) = archive
            .new_file(name.as_str())
            .compression_method(CompressionMethod::DEFLATE)
            .unix_permissions(0o644)
            .start()
            .map_err(io::Error::other)?;
        let mut writer = config.wrap(DeflateWriter::new(&mut entry));
        io::copy(&mut file.take(*size), &mut writer)?;
        let (deflate, descriptor) = writer.finish().map_err(io::Error::other)?;
        deflate.finish()?;
        entry.finish(descriptor).map_err(io::Error::other)?;
    }
    archive.finish().map_err(io::Error::other)?;
    Ok(())
}

/// A writer that fails beyond a number of bytes.
struct LimitedWriter<'a> {
    to: &'a File,
    left: u64,
}

impl Write for LimitedWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        self.to.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that compresses.
struct DeflateWriter<'a> {
    to: &'a mut dyn Write,
    state: Box<CompressorOxide>,
    buffer: Vec<u8>,
}

impl<'a> DeflateWriter<'a> {
    fn new(to: &'a mut dyn Write) -> DeflateWriter<'a> {
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW_WINDOW_BITS, 0);
        DeflateWriter { to, state: Box::new(CompressorOxide::new(flags)), buffer: vec![0; BUFFER_BYTES] }
    }

    fn compress(&mut self, input: &[u8], flush: MZFlush) -> io::Result<(usize, bool)> {
        let result = deflate(&mut self.state, input, &mut self.buffer, flush);
        let status = result.status.map_err(|_| io::Error::other("the compressor failed"))?;
        self.to.write_all(&self.buffer[..result.bytes_written])?;
        Ok((result.bytes_consumed, status == MZStatus::StreamEnd))
    }

    fn finish(mut self) -> io::Result<()> {
        while !self.compress(&[], MZFlush::Finish)?.1 {}
        Ok(())
    }
}

impl Write for DeflateWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            Ok(0)
        } else {
            self.compress(bytes, MZFlush::None).map(|(consumed, _)| consumed)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawzip::ZipArchive;
    use std::io::{Seek, SeekFrom};

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    fn input(name: &str, bytes: &[u8], size: u64) -> ZipInput {
        ZipInput { name: name.to_owned(), file: file(bytes), size }
    }

    #[test]
    fn packed_files_can_be_unpacked() {
        let noise: Vec<u8> =
            (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let contents = [("a.txt", &b"hello hello hello"[..]), ("测.bin", &noise), ("empty", b"")];
        let files: Vec<_> =
            contents.iter().map(|(name, bytes)| input(name, bytes, bytes.len() as u64)).collect();
        let mut zip = tempfile::tempfile().unwrap();
        pack(&zip, &files, 1 << 30).unwrap();
        zip.seek(SeekFrom::Start(0)).unwrap();
        let mut packed = Vec::new();
        zip.read_to_end(&mut packed).unwrap();
        let archive = ZipArchive::from_slice(&packed).unwrap();
        let mut entries = archive.entries();
        for (name, bytes) in contents {
            let record = entries.next_entry().unwrap().unwrap();
            assert_eq!(record.file_path().as_ref(), name.as_bytes());
            let entry = archive.get_entry(record.wayfinder()).unwrap();
            let unpacked = miniz_oxide::inflate::decompress_to_vec(entry.data()).unwrap();
            let mut checked = Vec::new();
            entry.verifying_reader(&unpacked[..]).read_to_end(&mut checked).unwrap();
            assert_eq!(checked, bytes);
        }
        assert!(entries.next_entry().unwrap().is_none());
    }

    #[test]
    fn growing_files_and_large_archives_are_cut_off() {
        // the bytes beyond the size were added later
        let grown = [input("a", b"abcdef", 3)];
        let mut zip = tempfile::tempfile().unwrap();
        pack(&zip, &grown, 1 << 20).unwrap();
        zip.seek(SeekFrom::Start(0)).unwrap();
        let mut packed = Vec::new();
        zip.read_to_end(&mut packed).unwrap();
        let archive = ZipArchive::from_slice(&packed).unwrap();
        assert_eq!(archive.entries().next_entry().unwrap().unwrap().uncompressed_size_hint(), 3);

        let zip = tempfile::tempfile().unwrap();
        let noise: Vec<u8> =
            (0..100_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let large = [input("b", &noise, noise.len() as u64)];
        let error = pack(&zip, &large, 50_000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{error}");
        assert!(zip.metadata().unwrap().len() <= 50_000);
    }
}
