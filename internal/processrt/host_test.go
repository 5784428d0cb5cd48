package processrt

func playHost() {}
