// Package client is the typed client of the Myriad API: runs, agents, concepts, discovery, breakers, the fleet and the two event streams.
//
// Start reading at Client and Plan; follow.go has the streams, which resume by themselves after a broken connection, transfer.go takes many
// agents from one server to another. Every failure that the server states comes back as a *myriad.Error with its code, its mistakes and
// when trying again may help.
package client
