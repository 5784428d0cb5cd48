module github.com/myriad-mind/myriad/bench/peers

go 1.26.0

replace github.com/myriad-mind/myriad => ../..

require (
	github.com/failsafe-go/failsafe-go v0.9.8
	github.com/myriad-mind/myriad v0.0.0
	github.com/sony/gobreaker/v2 v2.4.0
)

require github.com/bits-and-blooms/bitset v1.24.4 // indirect
