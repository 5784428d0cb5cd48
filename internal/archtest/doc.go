// Package archtest holds the test of the house's rules: who may import whom, and what no package may do. It has no code of its own. A
// new package fails it until it has a row in the table of table_test.go, so that every new dependency is a decision somebody took.
package archtest
