"""From roles and proofs to strengths with reasons, by a policy; and the page that shows them."""
