//! What ties a source-git merge request to its dist-git one.

mod texts;
