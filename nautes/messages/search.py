"""Search attribute keys: one list for registration, workflows and the API's lists. No decision depends on them."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

KIND = SearchAttributeKey.for_keyword("NautesKind")
PRODUCT = SearchAttributeKey.for_keyword("NautesProduct")
PRODUCT_ID = SearchAttributeKey.for_keyword("NautesProductId")  # a path changes hands, an id does not
CLUSTER = SearchAttributeKey.for_keyword("NautesCluster")
PHASE = SearchAttributeKey.for_keyword("NautesPhase")
REVISION = SearchAttributeKey.for_keyword("NautesRevision")
RENEW = SearchAttributeKey.for_keyword("NautesRenew")  # a product's first key or token ends on this day (YYYY-MM-DD)

ALL = (KIND, PRODUCT, PRODUCT_ID, CLUSTER, PHASE, REVISION, RENEW)
