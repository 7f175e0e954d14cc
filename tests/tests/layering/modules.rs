//! The modules of a crate, read from its files: what they define, import and name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path as FilePath, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, ItemMod, ItemUse, Meta, UseTree, VisRestricted, Visibility,
    visit::{self, Visit},
};

/// Where a module or an item is, from the root of its crate.
pub(crate) type Path = Vec<String>;

/// A module, inline ones included.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) path: Path,
    pub(crate) file: PathBuf,
    /// The names of its items.
    pub(crate) defined: BTreeSet<String>,
    /// The names that it imports, with the paths in this crate that they stand for: none in another crate.
    pub(crate) names: BTreeMap<String, Vec<Path>>,
    /// The modules of which it imports everything.
    pub(crate) globs: Vec<Path>,
    pub(crate) exported_macros: BTreeSet<String>,
    pub(crate) references: Vec<Reference>,
    /// The first names of all paths in it, apart from its imports.
    pub(crate) used: BTreeSet<String>,
    children: BTreeSet<String>,
}

/// A path to something in this crate.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) path: Path,
    /// The name that an import gives it.
    pub(crate) known_as: Option<String>,
    pub(crate) is_reexport: bool,
}

impl Module {
    /// All modules of the crate with this root file.
    pub(crate) fn tree(root: &FilePath) -> Vec<Self> {
        let mut modules = Vec::new();
        let folder = root.parent().unwrap_or(root);
        read(root, folder, Vec::new(), &mut modules);
        modules
    }

    fn new(path: Path, file: &FilePath) -> Self {
        Self {
            path,
            file: file.to_owned(),
            defined: BTreeSet::new(),
            names: BTreeMap::new(),
            globs: Vec::new(),
            exported_macros: BTreeSet::new(),
            references: Vec::new(),
            used: BTreeSet::new(),
            children: BTreeSet::new(),
        }
    }

    /// The path from the crate's root; none if it leads to another crate.
    fn absolute(&self, segments: &[String]) -> Option<Path> {
        let first = segments.first()?;
        let mut path = match first.as_str() {
            "crate" => return Some(segments[1..].to_vec()),
            "self" | "super" => self.path.clone(),
            name if self.children.contains(name) || self.defined.contains(name) => {
                return Some([&self.path[..], segments].concat());
            }
            _ => return None,
        };
        let mut rest = segments;
        while let Some((first, after)) = rest.split_first() {
            match first.as_str() {
                "self" => {}
                "super" => drop(path.pop()),
                _ => break,
            }
            rest = after;
        }
        path.extend_from_slice(rest);
        Some(path)
    }

    fn import(&mut self, segments: Path, known_as: String, is_reexport: bool) {
        let path = self.absolute(&segments);
        if known_as == "*" {
            if let Some(path) = path {
                self.globs.push(path.clone());
                self.references.push(Reference { path, known_as: None, is_reexport });
            }
            return;
        }
        self.names.entry(known_as.clone()).or_default().extend(path.clone());
        if let Some(path) = path {
            self.references.push(Reference { path, known_as: Some(known_as), is_reexport });
        }
    }

    /// Notes a path that stands somewhere in code.
    fn name(&mut self, segments: &[String]) {
        self.used.extend(segments.first().cloned());
        if segments.len() > 1
            && let Some(path) = self.absolute(segments)
        {
            self.references.push(Reference { path, known_as: None, is_reexport: false });
        }
    }

    /// Notes the paths in what is not parsed: the tokens of a macro.
    fn name_in_tokens(&mut self, tokens: TokenStream) {
        let mut segments: Path = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.name(&std::mem::take(&mut segments));
                    }
                    segments.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !segments.is_empty() => colons += 1,
                other => {
                    self.name(&std::mem::take(&mut segments));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.name_in_tokens(group.stream());
                    }
                }
            }
        }
        self.name(&segments);
    }
}

/// Reads a file and all modules in it and under it, whose files are in `folder`.
fn read(file: &FilePath, folder: &FilePath, path: Path, modules: &mut Vec<Module>) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    add(file, folder, path, parsed.items, modules);
}

fn add(file: &FilePath, folder: &FilePath, path: Path, items: Vec<Item>, modules: &mut Vec<Module>) {
    let mut module = Module::new(path, file);
    // First what there is, then what it is made of: paths may begin with any name in the module.
    for item in &items {
        define(&mut module, item);
    }
    for item in items {
        match item {
            Item::Mod(child) => add_child(&module, folder, child, modules),
            item => Visitor(&mut module).visit_item(&item),
        }
    }
    modules.push(module);
}

fn add_child(parent: &Module, folder: &FilePath, child: ItemMod, modules: &mut Vec<Module>) {
    let name = child.ident.to_string();
    let path = [&parent.path[..], std::slice::from_ref(&name)].concat();
    if let Some((_, items)) = child.content {
        return add(&parent.file, &folder.join(&name), path, items, modules);
    }
    if let Some(named) = path_attribute(&child.attrs) {
        let file = parent.file.parent().unwrap_or(folder).join(named);
        let folder = file.parent().unwrap_or(folder).to_owned();
        return read(&file, &folder, path, modules);
    }
    let inside = folder.join(&name);
    let file = folder.join(format!("{name}.rs"));
    let file = if file.exists() { file } else { inside.join("mod.rs") };
    read(&file, &inside, path, modules);
}

/// `#[path = "…"]`
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    let values = attributes.iter().filter(|attribute| attribute.path().is_ident("path"));
    let mut texts = values.filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(value) => match &value.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    texts.next()
}

fn define(module: &mut Module, item: &Item) {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Mod(item) => {
            module.children.insert(item.ident.to_string());
            return;
        }
        Item::Macro(item) => match &item.ident {
            Some(name) => {
                if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
                    module.exported_macros.insert(name.to_string());
                }
                name
            }
            None => return,
        },
        _ => return,
    };
    module.defined.insert(name.to_string());
}

struct Visitor<'m>(&'m mut Module);

impl Visitor<'_> {
    fn import(&mut self, tree: &UseTree, before: &[String], is_reexport: bool) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(path.ident.to_string()), is_reexport),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, before, is_reexport));
            }
            UseTree::Glob(_) => self.0.import(before.to_vec(), "*".into(), is_reexport),
            UseTree::Name(name) if name.ident == "self" => {
                let known_as = before.last().cloned().unwrap_or_default();
                self.0.import(before.to_vec(), known_as, is_reexport);
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.0.import(with(name.clone()), name, is_reexport);
            }
            UseTree::Rename(rename) => {
                self.0.import(with(rename.ident.to_string()), rename.rename.to_string(), is_reexport);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let segments: Path = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.0.name(&segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        visit::visit_macro(self, call);
        self.0.name_in_tokens(call.tokens.clone());
    }

    /// `pub(super)` names a module, and imports nothing from it.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    /// A doc comment is text.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}
