package sqlitestore

const childEnv = "MYRIAD_SQLITESTORE_CHILD"

func childMain(string) {}
