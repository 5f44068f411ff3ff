//! The package of the stories: `hello`, with its upstream, packaging and changes.

use anyhow::Result;

use crate::stage::Stage;

/// The branch of the distribution's release.
pub(crate) const BRANCH: &str = "c10s";

/// Who made the packaging.
pub(crate) const PACKAGER: &str = "A Packager <packager@example.com>";

/// A change that the package needs, as the text before and after.
pub(crate) const SUCCESS: (&str, &str) = ("return 1;", "return 0;");

/// Another one.
pub(crate) const GREETING: (&str, &str) = (
    "    (void) argc;\n    (void) argv;\n    puts(\"Hello, world\");\n",
    "    printf(\"Hello, %s\\n\", argc > 1 ? argv[1] : \"world\");\n",
);

const SPEC: &str = "\
Name:           hello
Version:        1.0
Release:        1%{?dist}
Summary:        Says hello
License:        MIT
Source0:        hello-%{version}.tar.gz

%description
It says hello.

%prep
%autosetup -p1

%build
%{__cc} %{build_cflags} -o hello hello.c

%install
install -D -m 0755 hello %{buildroot}%{_bindir}/hello

%files
%{_bindir}/hello

%changelog
* Mon Jan 01 2024 A Packager <packager@example.com> - 1.0-1
- Initial package
";

const CONFIG: &str = "\
upstream_ref: v1.0
downstream_package_name: hello
specfile_path: .distro/hello.spec
patch_generation_ignore_paths: [.distro]
sync_changelog: true
files_to_sync:
- src: .distro/
  dest: .
  delete: true
  filters: [protect .git*, protect sources, exclude source-git.yaml]
";

const HELLO: &str = "\
#include <stdio.h>

int main(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    puts(\"Hello, world\");
    return 1;
}
";

/// Makes `upstream`: a program with a mistake, released as 1.0.
pub(crate) fn make_upstream(stage: &Stage) -> Result<()> {
    stage.init("upstream", "A Developer <developer@example.com>")?;
    stage.write("upstream/hello.c", HELLO)?;
    stage.commit("upstream", "Say hello")?;
    stage.write("upstream/README", "hello says hello.\n")?;
    stage.commit("upstream", "Add a README")?;
    stage.quiet("upstream", &["tag", "v1.0"]).map(drop)
}

/// Makes `source-git`: upstream's history and the packaging on it.
pub(crate) fn make_source_git(stage: &Stage) -> Result<()> {
    stage.quiet(".", &["clone", "-q", "-b", "main", "upstream", "source-git"])?;
    stage.identify("source-git", PACKAGER)?;
    stage.quiet("source-git", &["checkout", "-q", "-b", BRANCH])?;
    stage.write("source-git/.distro/hello.spec", SPEC)?;
    stage.write("source-git/.distro/source-git.yaml", CONFIG)?;
    stage.commit("source-git", "Add packaging")
}

/// Makes `dist-git`: the spec, without patches, and the name of upstream's archive.
pub(crate) fn make_dist_git(stage: &Stage) -> Result<()> {
    stage.init("dist-git", PACKAGER)?;
    stage.quiet("dist-git", &["checkout", "-q", "-b", BRANCH])?;
    stage.write("dist-git/hello.spec", SPEC)?;
    stage.write("dist-git/sources", "SHA512 (hello-1.0.tar.gz) = 3b8e8c\n")?;
    stage.commit("dist-git", "Import hello 1.0")
}
