"""Programs of this file's folder, one a peer: each is run by the peer's own Python, never imported by the node.

A driver is called with the path of a request (JSON: `fixed`, `moving`, `kind`, `wide`, `same_contrast`, `executable`,
`answer`, `field`). It writes the file `answer`: `cpu_s` of the registration alone, and for `rigid` the `matrix` (4, 4)
from fixed to moving points, LPS mm; for `deformable` it saves to `field` the displacement (slice, row, column, 3) of
every fixed voxel's centre in LPS mm, float32.
"""
