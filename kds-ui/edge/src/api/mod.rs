//! HTTP as both programs speak it: requests, answers, problems, shapes, routes' helpers.

pub mod json;
pub mod menu;
pub mod problem;
pub mod request;
pub mod routes;
pub mod screens;
pub mod text;
pub mod to_json;
