/* $name: weights of the perception network with SHA-256 $digest, in 16 bits.
 * The layout is described in perception_events.h. */
#include "perception_events.h"

$arrays
const lce_layer lce_layers[LCE_LAYERS] = {
$table
};
