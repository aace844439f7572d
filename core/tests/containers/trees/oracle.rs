//! What must become of a plan: the same as the launcher does, on trees that are data.

use cofferdam::agent::{AgentConfig, SpecialMount};
use cofferdam::kernel::MountFlags;
use cofferdam::{UnixPath, UnixPathBuf};

use super::plan::{Plan, Source, Volume};
use super::tree::{DIRECTORY, Found, Node, Tree};

/// Something that nobody follows, or that is of the wrong kind, is in the way; what, for a person.
pub struct Refused(pub String);

/// A mount that the program must see.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Where: below the container's root, or, without an image, below its sandbox.
    pub path: UnixPathBuf,
    pub what: What,
    pub read_only: bool,
}

#[derive(Clone, Debug)]
pub enum What {
    Image,
    /// Of the table of special mounts. A bind within proc is not there if this kernel has not that file.
    Special(SpecialMount),
    Shm,
    Device(String),
    ReadOnlyPath,
    Sandbox,
    Persistent(&'static str),
    /// The volume with this number.
    Volume(usize),
    Mask,
}

enum Content {
    Tree(Tree),
    /// A filesystem of the kernel's, in which there is nothing to be in the way.
    System,
    File,
}

struct Layer {
    expected: Expected,
    content: Content,
}

/// The mounts by now, of which the innermost counts.
struct Layers(Vec<Layer>);

/// What must become of it: a refusal, or these mounts.
pub fn outcome(plan: &Plan, config: &AgentConfig) -> Result<Vec<Expected>, Refused> {
    let mut sandbox = plan.sandbox.clone();
    if plan.is_nested && sandbox.find(plan.own_sandbox()) != Found::Directory {
        return Err(Refused("the nested sandbox".into()));
    }
    check_targets(plan, config)?;
    for volume in &plan.persistent_volumes {
        let name = UnixPath::new(volume.name);
        match sandbox.find(name) {
            Found::Directory => {}
            Found::Missing => sandbox.add(name, DIRECTORY),
            Found::Other | Found::Blocked => return Err(Refused(format!("{} in the sandbox", volume.name))),
        }
    }
    make_sources(plan, &mut sandbox)?;
    let own = sandbox.below(plan.own_sandbox());
    let Some(image) = &plan.image else {
        let mut layers = Layers(vec![layer("", What::Sandbox, Content::Tree(own), false)]);
        layers.add_persistent(plan, UnixPath::new(""));
        layers.add_volumes(plan, UnixPath::new(""), &sandbox)?;
        return Ok(layers.0.into_iter().map(|layer| layer.expected).collect());
    };
    let mut layers = Layers(vec![layer("", What::Image, Content::Tree(image.clone()), false)]);
    for special in &config.special_mounts {
        layers.add_special(special)?;
    }
    if !plan.without_shm {
        layers.mount(layer("dev/shm", What::Shm, Content::Tree(Tree::default()), false))?;
    }
    for device in &config.devices {
        layers.mount(layer(format!("dev/{device}"), What::Device(device.clone()), Content::File, false))?;
    }
    for path in &config.readonly_paths {
        layers.make_read_only(relative(path.as_path()))?;
    }
    let target = relative(&config.sandbox_directory).to_path_buf();
    layers.mount(layer(target.clone(), What::Sandbox, Content::Tree(own), false))?;
    layers.add_persistent(plan, &target);
    layers.add_volumes(plan, &target, &sandbox)?;
    if !plan.shares_pids {
        for path in &config.masked_paths {
            layers.mask(relative(path.as_path()))?;
        }
    }
    layers.link_devices()?;
    Ok(layers.0.into_iter().map(|layer| layer.expected).collect())
}

fn relative(path: &UnixPath) -> &UnixPath {
    path.strip_prefix("/").unwrap_or(path)
}

fn layer(path: impl Into<UnixPathBuf>, what: What, content: Content, read_only: bool) -> Layer {
    Layer { expected: Expected { path: path.into(), what, read_only }, content }
}

/// The target of a volume below the root, or, without an image, below the sandbox.
pub fn target(volume: &Volume, sandbox: &UnixPath) -> UnixPathBuf {
    let path = volume.container_path.as_path();
    if path.is_absolute() { relative(path).to_path_buf() } else { sandbox.join(path) }
}

/// Volumes must not hide each other, nor the sandbox.
fn check_targets(plan: &Plan, config: &AgentConfig) -> Result<(), Refused> {
    let sandbox = if plan.image.is_some() { relative(&config.sandbox_directory) } else { UnixPath::new("") };
    let mut taken: Vec<_> = plan.persistent_volumes.iter().map(|volume| sandbox.join(volume.name)).collect();
    for volume in &plan.volumes {
        let target = target(volume, sandbox);
        if taken.contains(&target) || sandbox.starts_with(&target) {
            return Err(Refused(format!("the target {}", volume.container_path)));
        }
        taken.push(target);
    }
    Ok(())
}

/// Directories of sandboxes that volumes are of are made if they are missing.
fn make_sources(plan: &Plan, sandbox: &mut Tree) -> Result<(), Refused> {
    for volume in &plan.volumes {
        let path = match volume.source {
            Source::OwnSandbox(path) => plan.own_sandbox().join(path),
            Source::ParentSandbox(path) => path.into(),
            Source::HostDirectory | Source::HostFile => continue,
        };
        match sandbox.find(&path) {
            Found::Directory | Found::Other => {}
            Found::Missing => sandbox.add(&path, DIRECTORY),
            Found::Blocked => return Err(Refused(format!("the source {} in the sandbox", path.display()))),
        }
    }
    Ok(())
}

impl Layers {
    /// The innermost mount that a path is in, and the path relative to it.
    fn around<'p>(&mut self, path: &'p UnixPath) -> (&mut Layer, &'p UnixPath) {
        let below = |layer: &Layer| path.strip_prefix(&layer.expected.path).map(|rest| rest.as_bytes().len());
        let best = (0..self.0.len()).filter(|index| below(&self.0[*index]).is_ok());
        let best = best.min_by_key(|index| (below(&self.0[*index]).unwrap(), usize::MAX - index)).unwrap();
        let layer = &mut self.0[best];
        let rest = path.strip_prefix(&layer.expected.path).unwrap();
        (layer, rest)
    }

    /// Puts a mount at its path, where its mount point is, or is made.
    fn mount(&mut self, new: Layer) -> Result<(), Refused> {
        let path = new.expected.path.clone();
        let is_directory = !matches!(new.content, Content::File);
        let refused = || Err(Refused(format!("the mount point {}", path.display())));
        let (around, rest) = self.around(&path);
        match &mut around.content {
            Content::System => {}
            Content::File if rest.as_bytes().is_empty() && !is_directory => {}
            Content::File => return refused(),
            Content::Tree(tree) => match tree.find(rest) {
                Found::Directory if is_directory => {}
                Found::Other if !is_directory => {}
                Found::Missing if !around.expected.read_only && fits(rest) => {
                    tree.add(rest, if is_directory { DIRECTORY } else { Node::File });
                }
                _ => return refused(),
            },
        }
        self.0.retain(|layer| !layer.expected.path.starts_with(&path));
        self.0.push(new);
        Ok(())
    }

    fn add_special(&mut self, special: &SpecialMount) -> Result<(), Refused> {
        let target = relative(special.target.as_path());
        let read_only = special.flags.contains(MountFlags::MS_RDONLY);
        let content = match (special.filesystem_type.as_deref(), &special.source) {
            (Some("tmpfs"), _) => Content::Tree(Tree::default()),
            (Some(_), _) => Content::System,
            (None, None) => {
                // The default table has these in proc alone.
                assert!(target.starts_with("proc"));
                self.0.push(layer(target, What::Special(special.clone()), Content::System, read_only));
                return Ok(());
            }
            (None, Some(source)) => {
                let source = relative(source.as_path());
                self.bound(source).ok_or_else(|| Refused(format!("the source {}", source.display())))?
            }
        };
        self.mount(layer(target, What::Special(special.clone()), content, read_only))
    }

    /// What a bind of a path would have, without what is mounted below it.
    fn bound(&mut self, path: &UnixPath) -> Option<Content> {
        let (around, rest) = self.around(path);
        match &around.content {
            Content::System => Some(Content::System),
            Content::File => rest.as_bytes().is_empty().then_some(Content::File),
            Content::Tree(tree) => match tree.find(rest) {
                Found::Directory => Some(Content::Tree(tree.below(rest))),
                Found::Other => Some(Content::File),
                Found::Missing | Found::Blocked => None,
            },
        }
    }

    /// Binds a path on itself, with all that is mounted below it.
    fn make_read_only(&mut self, path: &UnixPath) -> Result<(), Refused> {
        if !self.exists(path)? {
            return Ok(());
        }
        let content = self.bound(path).ok_or_else(|| Refused(path.display().to_string()))?;
        for layer in self.0.iter_mut().filter(|layer| layer.expected.path.starts_with(path)) {
            layer.expected.read_only = true;
        }
        self.0.retain(|layer| layer.expected.path != path);
        self.0.push(layer(path, What::ReadOnlyPath, content, true));
        Ok(())
    }

    /// Whether there is something that can be bound or masked.
    fn exists(&mut self, path: &UnixPath) -> Result<bool, Refused> {
        let (around, rest) = self.around(path);
        match &around.content {
            Content::System => Ok(true),
            Content::File if rest.as_bytes().is_empty() => Ok(true),
            Content::File => Err(Refused(format!("a file above {}", path.display()))),
            Content::Tree(tree) => match tree.find(rest) {
                Found::Missing => Ok(false),
                Found::Blocked => Err(Refused(format!("what is at or above {}", path.display()))),
                Found::Directory | Found::Other => Ok(true),
            },
        }
    }

    fn mask(&mut self, path: &UnixPath) -> Result<(), Refused> {
        if !self.exists(path)? {
            return Ok(());
        }
        let content = match self.bound(path) {
            Some(Content::Tree(_)) => Content::Tree(Tree::default()),
            Some(Content::System) => Content::System,
            _ => Content::File,
        };
        self.0.retain(|layer| !layer.expected.path.starts_with(path));
        self.0.push(layer(path, What::Mask, content, true));
        Ok(())
    }

    fn add_persistent(&mut self, plan: &Plan, sandbox: &UnixPath) {
        for volume in &plan.persistent_volumes {
            let path = sandbox.join(volume.name);
            let content = Content::Tree(Tree::default());
            self.0.push(layer(path, What::Persistent(volume.name), content, volume.read_only));
        }
    }

    fn add_volumes(&mut self, plan: &Plan, own: &UnixPath, sandbox: &Tree) -> Result<(), Refused> {
        let mut volumes: Vec<_> =
            plan.volumes.iter().enumerate().map(|(number, volume)| (number, volume, target(volume, own))).collect();
        volumes.sort_by_key(|(_, _, target)| target.as_bytes().split(|byte| *byte == b'/').count());
        for (number, volume, path) in volumes {
            let in_sandbox = |path: &UnixPath| match sandbox.find(path) {
                Found::Directory => Content::Tree(sandbox.below(path)),
                _ => Content::File,
            };
            let content = match volume.source {
                Source::HostDirectory => Content::Tree(Tree::default()),
                Source::HostFile => Content::File,
                Source::OwnSandbox(path) => in_sandbox(&plan.own_sandbox().join(path)),
                Source::ParentSandbox(path) => in_sandbox(UnixPath::new(path)),
            };
            let expected = Expected { path, what: What::Volume(number), read_only: volume.read_only };
            self.mount(Layer { expected, content })?;
        }
        Ok(())
    }

    fn link_devices(&mut self) -> Result<(), Refused> {
        let links = [("/proc/self/fd", "fd"), ("/proc/self/fd/0", "stdin"), ("/proc/self/fd/1", "stdout")];
        for (text, name) in links.into_iter().chain([("/proc/self/fd/2", "stderr"), ("pts/ptmx", "ptmx")]) {
            let path = UnixPath::new("dev").join(name);
            let (around, rest) = self.around(&path);
            let Content::Tree(tree) = &mut around.content else { continue };
            match tree.get(rest) {
                Some(Node::Symlink(found)) if found == text.as_bytes() => {}
                None => tree.add(rest, Node::Symlink(text.into())),
                Some(_) => return Err(Refused(format!("/dev/{name}"))),
            }
        }
        Ok(())
    }
}

/// Whether a path can be made, relative to a directory that is open: `NAME_MAX` and `PATH_MAX`.
fn fits(path: &UnixPath) -> bool {
    let bytes = path.as_bytes();
    bytes.len() < 4096 && bytes.split(|byte| *byte == b'/').all(|name| name.len() <= 255)
}
