//! A volume that misbehaves: a file system in memory (FUSE) which knows what was synced and what was not. It can hang, fail
//! each write or sync, and lose power: then only what POSIX promises is left, the bytes of synced files whose names were synced
//! with their folders.
#![allow(dead_code)] // each test uses some of it

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, MountOption, OpenFlags,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request,
    WriteFlags,
};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const TTL: Duration = Duration::ZERO;

#[derive(Clone)]
enum Node {
    File { data: Vec<u8>, synced: Vec<u8> },
    Folder { entries: BTreeMap<OsString, u64>, synced: BTreeMap<OsString, u64> },
}

#[derive(Default)]
struct State {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    fails: bool,
    hangs_until: Option<Instant>,
    free: Option<u64>,
}

impl State {
    fn attr(&self, ino: u64) -> Option<FileAttr> {
        let (kind, perm, size) = match self.nodes.get(&ino)? {
            Node::File { data, .. } => (FileType::RegularFile, 0o644, data.len() as u64),
            Node::Folder { .. } => (FileType::Directory, 0o755, 0),
        };
        Some(FileAttr {
            ino: INodeNo(ino),
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    fn entries(&mut self, folder: INodeNo) -> Option<&mut BTreeMap<OsString, u64>> {
        match self.nodes.get_mut(&folder.0)? {
            Node::Folder { entries, .. } => Some(entries),
            Node::File { .. } => None,
        }
    }

    fn add(&mut self, folder: INodeNo, name: &OsStr, node: Node) -> Option<FileAttr> {
        self.next += 1;
        let ino = self.next;
        self.entries(folder)?.insert(name.to_owned(), ino);
        self.nodes.insert(ino, node);
        self.attr(ino)
    }

    fn sync(&mut self, ino: u64) {
        match self.nodes.get_mut(&ino) {
            Some(Node::File { data, synced }) => synced.clone_from(data),
            Some(Node::Folder { entries, synced }) => synced.clone_from(entries),
            None => {}
        }
    }

    #[allow(dead_code)] // not every test that has such a volume cuts its power
    fn leave(&self, ino: u64, to: &Path) {
        match &self.nodes[&ino] {
            Node::File { synced, .. } => std::fs::write(to, synced).unwrap(),
            Node::Folder { synced, .. } => {
                std::fs::create_dir_all(to).unwrap();
                synced.iter().for_each(|(name, ino)| self.leave(*ino, &to.join(name)));
            }
        }
    }
}

struct Memory(Arc<Mutex<State>>);

impl Memory {
    /// Everything waits here while the volume hangs; changes fail while it fails.
    fn state(&self, changes: bool) -> Result<MutexGuard<'_, State>, Errno> {
        loop {
            let state = self.0.lock().unwrap();
            match state.hangs_until.filter(|until| Instant::now() < *until) {
                Some(_) => {
                    drop(state);
                    std::thread::sleep(Duration::from_millis(20));
                }
                None if changes && state.fails => return Err(Errno::EIO),
                None => return Ok(state),
            }
        }
    }
}

/// The reply's own error where something is not there or the volume fails.
macro_rules! or_error {
    ($reply:ident, $value:expr) => {
        match $value {
            Ok(value) => value,
            Err(e) => return $reply.error(e),
        }
    };
}

impl Filesystem for Memory {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut s = or_error!(reply, self.state(false));
        let ino = s.entries(parent).and_then(|e| e.get(name).copied());
        let attr = or_error!(reply, ino.and_then(|ino| s.attr(ino)).ok_or(Errno::ENOENT));
        reply.entry(&TTL, &attr, Generation(0));
    }
    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let s = or_error!(reply, self.state(false));
        let attr = or_error!(reply, s.attr(ino.0).ok_or(Errno::ENOENT));
        reply.attr(&TTL, &attr);
    }
    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<fuser::TimeOrNow>,
        _: Option<fuser::TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut s = or_error!(reply, self.state(size.is_some()));
        if let (Some(size), Some(Node::File { data, .. })) = (size, s.nodes.get_mut(&ino.0)) {
            data.resize(size as usize, 0);
        }
        let attr = or_error!(reply, s.attr(ino.0).ok_or(Errno::ENOENT));
        reply.attr(&TTL, &attr);
    }
    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let mut s = or_error!(reply, self.state(true));
        let folder = Node::Folder { entries: BTreeMap::new(), synced: BTreeMap::new() };
        let attr = or_error!(reply, s.add(parent, name, folder).ok_or(Errno::ENOENT));
        reply.entry(&TTL, &attr, Generation(0));
    }
    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        let mut s = or_error!(reply, self.state(true));
        let file = Node::File { data: vec![], synced: vec![] };
        let attr = or_error!(reply, s.add(parent, name, file).ok_or(Errno::ENOENT));
        reply.created(&TTL, &attr, Generation(0), FileHandle(0), FopenFlags::empty());
    }
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::empty());
    }
    fn read(&self, _: &Request, ino: INodeNo, _: FileHandle, at: u64, size: u32, _: OpenFlags, _: Option<LockOwner>, reply: ReplyData) {
        let s = or_error!(reply, self.state(false));
        let Some(Node::File { data, .. }) = s.nodes.get(&ino.0) else { return reply.error(Errno::ENOENT) };
        let from = (at as usize).min(data.len());
        reply.data(&data[from..data.len().min(from + size as usize)]);
    }
    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        at: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut s = or_error!(reply, self.state(true));
        let Some(Node::File { data, .. }) = s.nodes.get_mut(&ino.0) else { return reply.error(Errno::ENOENT) };
        let end = at as usize + bytes.len();
        if data.len() < end {
            data.resize(end, 0);
        }
        data[at as usize..end].copy_from_slice(bytes);
        reply.written(bytes.len() as u32);
    }
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        or_error!(reply, self.state(true)).sync(ino.0);
        reply.ok();
    }
    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        or_error!(reply, self.state(true)).sync(ino.0);
        reply.ok();
    }
    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let mut s = or_error!(reply, self.state(true));
        or_error!(reply, s.entries(parent).and_then(|e| e.remove(name)).ok_or(Errno::ENOENT));
        reply.ok();
    }
    fn rename(&self, _: &Request, parent: INodeNo, name: &OsStr, to: INodeNo, new: &OsStr, _: RenameFlags, reply: ReplyEmpty) {
        let mut s = or_error!(reply, self.state(true));
        let ino = or_error!(reply, s.entries(parent).and_then(|e| e.remove(name)).ok_or(Errno::ENOENT));
        or_error!(reply, s.entries(to).ok_or(Errno::ENOENT)).insert(new.to_owned(), ino);
        reply.ok();
    }
    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let mut s = or_error!(reply, self.state(false));
        let entries: Vec<_> = or_error!(reply, s.entries(ino).ok_or(Errno::ENOENT)).clone().into_iter().collect();
        for (at, (name, ino)) in entries.into_iter().enumerate().skip(offset as usize) {
            let kind = s.attr(ino).map_or(FileType::RegularFile, |a| a.kind);
            if reply.add(INodeNo(ino), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }
    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let free = or_error!(reply, self.state(false)).free.map_or(1 << 23, |bytes| bytes / 4096);
        reply.statfs(1 << 24, free, free, 1 << 20, 1 << 20, 4096, 255, 4096);
    }
}

/// A mounted one.
pub struct BadVolume {
    pub at: PathBuf,
    state: Arc<Mutex<State>>,
    session: Option<fuser::BackgroundSession>,
}

impl BadVolume {
    /// Mounts it; `None` where this user may not.
    pub fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let root = Node::Folder { entries: BTreeMap::new(), synced: BTreeMap::new() };
        let state = Arc::new(Mutex::new(State { nodes: [(1, root)].into(), next: 1, ..State::default() }));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("bad".into())];
        let session = fuser::spawn_mount(Memory(state.clone()), &at, &config)
            .inspect_err(|e| eprintln!("not tried: this user may not mount a volume: {e}"))
            .ok()?;
        Some(Self { at, state, session: Some(session) })
    }

    /// Every change fails, or not.
    pub fn fails(&self, fails: bool) {
        self.state.lock().unwrap().fails = fails;
    }

    /// It says that so much is free, and no more.
    pub fn has_free(&self, bytes: Option<u64>) {
        self.state.lock().unwrap().free = bytes;
    }

    /// Nothing is answered for so long.
    pub fn hangs(&self, time: Duration) {
        self.state.lock().unwrap().hangs_until = Some(Instant::now() + time);
    }

    /// What is on the disk if the power goes now, put elsewhere.
    #[allow(dead_code)]
    pub fn after_power_cut(&self, to: &Path) {
        self.state.lock().unwrap().leave(1, to);
    }
}

impl Drop for BadVolume {
    fn drop(&mut self) {
        self.hangs(Duration::ZERO);
        drop(self.session.take());
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.at).stderr(std::process::Stdio::null()).status();
    }
}
