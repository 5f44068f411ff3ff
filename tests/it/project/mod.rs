//! This repository itself: its layers, licences, pipeline and scripts.

mod layers;
mod licences;
mod live_check;
mod own_pipeline;
mod source;
