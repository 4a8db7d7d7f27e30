"""A real picture in the edit's place: the pseudo-target that was retrieved for a pair."""
