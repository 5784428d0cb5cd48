// Package neurogenesis makes an agent for a concept that nobody knows: it asks what can be known of it, writes the concept and a packet that
// answers from that knowledge, and has the fleet wake the agent for whoever asked.
//
// Start reading at Grower.Grow, then flight.go for the way of one concept, then research.go and synthesis.go for what is known of it.
package neurogenesis
