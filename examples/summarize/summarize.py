import json
import sys

for line in sys.stdin:  # a job a line
    job = json.loads(line)
    text = job["args"]["text"]
    sentences = [s.strip() for s in text.split(".") if s.strip()]
    longest = max(sentences, key=len, default="")
    answer = {"summary": longest, "sentences": len(sentences), "words": len(text.split())}
    print(json.dumps(answer))  # an answer a line
