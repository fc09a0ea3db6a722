/* $name: weights of the perception network with SHA-256 $digest.
 * The layout is described in perception.h. */
#include "perception.h"

$arrays
const lc_layer lc_layers[LC_LAYERS] = {
$table
};
