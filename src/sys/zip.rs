//! Packs files into one zip archive, streaming: deflate by `miniz_oxide`, the container by `rawzip`.

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::{MZFlush, MZStatus};
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::fs::File;
use std::io::{self, Read, Write};

/// The usual middle between time and size.
const LEVEL: i32 = 6;
/// Raw deflate, as zip wants it: without the frame of zlib.
const RAW: i32 = -15;
/// Read and written at once.
const PIECE: usize = 32 * 1024;

/// A file to pack: its name, its bytes, and how many of them. One that grows meanwhile would never end.
pub type Item = (String, File, u64);

/// Writes an archive of the files to `to`: at most `max` bytes. Names must be unique.
pub fn pack(to: &File, files: &[Item], max: u64) -> io::Result<()> {
    let mut archive = ZipArchiveWriter::new(Capped { to, left: max });
    for (name, file, size) in files {
        let (mut entry, config) = archive
            .new_file(name.as_str())
            .compression_method(CompressionMethod::DEFLATE)
            .unix_permissions(0o644)
            .start()
            .map_err(io::Error::other)?;
        let mut writer = config.wrap(Deflate::new(&mut entry));
        io::copy(&mut file.take(*size), &mut writer)?;
        let (packer, descriptor) = writer.finish().map_err(io::Error::other)?;
        packer.finish()?;
        entry.finish(descriptor).map_err(io::Error::other)?;
    }
    archive.finish().map_err(io::Error::other)?;
    Ok(())
}

/// Takes so much and no more.
struct Capped<'a> {
    to: &'a File,
    left: u64,
}

impl Write for Capped<'_> {
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

/// Compresses what is written to it.
struct Deflate<'a> {
    to: &'a mut dyn Write,
    state: Box<CompressorOxide>,
    piece: Vec<u8>,
}

impl<'a> Deflate<'a> {
    fn new(to: &'a mut dyn Write) -> Deflate<'a> {
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW, 0);
        Deflate { to, state: Box::new(CompressorOxide::new(flags)), piece: vec![0; PIECE] }
    }

    fn step(&mut self, input: &[u8], flush: MZFlush) -> io::Result<(usize, bool)> {
        let result = deflate(&mut self.state, input, &mut self.piece, flush);
        let status = result.status.map_err(|_| io::Error::other("the compressor failed"))?;
        self.to.write_all(&self.piece[..result.bytes_written])?;
        Ok((result.bytes_consumed, status == MZStatus::StreamEnd))
    }

    fn finish(mut self) -> io::Result<()> {
        while !self.step(&[], MZFlush::Finish)?.1 {}
        Ok(())
    }
}

impl Write for Deflate<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() { Ok(0) } else { self.step(bytes, MZFlush::None).map(|(taken, _)| taken) }
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

    #[test]
    fn what_is_packed_is_found_again() {
        let noise: Vec<u8> =
            (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let contents = [("a.txt", &b"hello hello hello"[..]), ("测.bin", &noise), ("empty", b"")];
        let files: Vec<_> =
            contents.iter().map(|(n, b)| ((*n).to_owned(), file(b), b.len() as u64)).collect();
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
    fn neither_a_growing_file_nor_a_large_archive_goes_on_for_ever() {
        // what is there beyond the size has come later
        let grown = [("a".to_owned(), file(b"abcdef"), 3)];
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
        let large = [("b".to_owned(), file(&noise), noise.len() as u64)];
        let error = pack(&zip, &large, 50_000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{error}");
        assert!(zip.metadata().unwrap().len() <= 50_000);
    }
}
