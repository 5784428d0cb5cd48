// Package peers measures the policies of internal/resilience beside the libraries that could have been taken instead. It is a module
// of its own, so that what is only compared with does not become a dependency of the product.
//
//	cd bench/peers && go test -bench . -benchtime 20000000x
//
// The ratios are printed at the end, each from the medians of alternating rounds of one run.
package peers
