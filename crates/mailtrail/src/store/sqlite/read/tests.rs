//! Answers are those of the events that were appended.
